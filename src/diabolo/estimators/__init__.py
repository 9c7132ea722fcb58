"""What a user constructs: scikit-learn estimators, each a composition of parts."""
