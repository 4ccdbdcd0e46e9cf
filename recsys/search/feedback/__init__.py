"""Users' feedback on search results: what logged clicks say of products and of policies."""
