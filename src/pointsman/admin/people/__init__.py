"""What users, teams and organisations have in common: limits as requests say them, periods, what is not heeded."""
