"""The dashboard: pages that select the models for BI tools and draw them."""
