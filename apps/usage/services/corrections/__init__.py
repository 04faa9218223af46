"""Corrections of usage: events are voided and amended, ranges are reported anew. Each is a new fact, with a reason.

What counts changes in the transaction that writes the correction: totals, balances and what is not invoiced yet
follow because they are computed from it. What stands on a finalized invoice stays there; the difference comes
with the next one.
"""
