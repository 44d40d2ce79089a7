"""The DAGs, one a module: thin files that wire what the package above offers."""
