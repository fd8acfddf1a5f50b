"""The pages of the console, a module each; `page.found` takes all that are here."""
