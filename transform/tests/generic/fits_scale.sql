{# No value has more decimals than its column in the mart can hold: scales maps a column to its number of decimals. #}
{% test fits_scale(model, scales) %}

select {{ scales | join(", ") }}
from {{ model }}
where {% for column, scale in scales.items() %}{{ column }} <> round({{ column }}, {{ scale }}){{ " or " if not loop.last }}{% endfor %}

{% endtest %}
