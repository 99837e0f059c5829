"""One file per outside thing; each translates foreign errors into ours."""
