"""Where cases come from: mechanically from schema sites, by hand from the catalogue."""
