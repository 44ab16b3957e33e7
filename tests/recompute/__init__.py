"""The marts' metrics once more, from raw rows and the written definitions, without the project's SQL.

Reading is `select` of whole raw tables; what is computed is computed with integers and fractions.
"""
