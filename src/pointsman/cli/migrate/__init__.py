"""Taking over what another gateway keeps: ``pointsman migrate litellm``."""
