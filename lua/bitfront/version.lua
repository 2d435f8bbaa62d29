-- The one place where the version is written.
return "1.0.0"
