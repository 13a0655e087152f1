"""The site: every page that shows a measurement is generated from the records."""
