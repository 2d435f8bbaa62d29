-- The one place where the version is written.
return "0.1.0"
