"""The sections of the config file, a room each; `jobs.config` reads the file as a whole."""
