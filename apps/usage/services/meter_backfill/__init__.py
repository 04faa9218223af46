"""Let a meter read the events that came in before it was there, or before its definition was changed.

The result is what the meter would have counted, had it been there. A reading that is made later stands in a table
of its own, once for each event and meter, so that going over events again adds nothing.
"""
