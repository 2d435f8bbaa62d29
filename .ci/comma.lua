-- Given to busted as a helper: the specs run under a locale with a decimal comma.
assert(os.setlocale("de_DE.UTF-8"), "the locale de_DE.UTF-8 is missing")
assert(("%.1f"):format(0.5) == "0,5")
