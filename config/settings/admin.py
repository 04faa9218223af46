"""How the back offices look: unfold's settings. Callbacks are named by path and run for each request."""

UNFOLD = {
    "SITE_TITLE": "Countinghouse",
    "SITE_HEADER": "Countinghouse",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
}
