"""Where the image wing and the learning wing meet: recipes, checks, the demo cohort."""
