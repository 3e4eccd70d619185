"""Many results folders: found, remembered when finished, refined in processes of their own."""
