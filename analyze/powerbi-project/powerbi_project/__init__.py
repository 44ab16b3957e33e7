"""The Power BI project of this warehouse: its semantic model out of dbt's manifest, and checks of model and report."""
