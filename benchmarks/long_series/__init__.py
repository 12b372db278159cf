"""Students of attention on longer series than those that they were distilled on."""
