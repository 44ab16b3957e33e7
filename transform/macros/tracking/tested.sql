{#
  What has been tested: of each model that tracks changes, and of each staging model that is tested by its loads, the newest
  change up to which all its data tests have passed (`tested_change_id` in model_watermarks). A test reads what came after
  it, so days that failed are read again until they pass, and a test that reads one model alone reads nothing where nothing
  came.
#}


{#
  The change after which a test reads a model: the one before the model's last, or an earlier one up to which its tests
  have passed. A test of one model needs no day twice; one that compares it with tables that may have changed reads the
  last days again.
#}
{% macro tested_up_to(previous, up_to, tested) -%}
    {%- if tested is none -%}
        {{ return(previous) }}
    {%- elif tested >= up_to -%}
        {{ return(up_to if compares_nothing_new(graph.nodes[model.unique_id]) else previous) }}
    {%- endif -%}
    {{ return(tested) }}
{%- endmacro %}


{# Whether a test reads, beside its model, only models that track changes and are tested up to their last one. #}
{% macro compares_nothing_new(test) %}
    {%- set others = [] -%}
    {%- for name in test.depends_on.nodes if name != test.attached_node -%}
        {%- set other = graph.nodes.get(name) -%}
        {%- if other is none or other.config.materialized != 'changed_days' -%}
            {{ return(false) }}
        {%- endif -%}
        {%- do others.append("'" ~ other.alias ~ "'") -%}
    {%- endfor -%}
    {%- if not others -%}
        {{ return(true) }}
    {%- endif -%}
    {%- set query = "select count(*) from " ~ watermarks() ~ " where tested_change_id >= change_id and model_name in (" ~ others | join(', ') ~ ")" -%}
    {{ return(run_query(query).rows[0][0] == others | length) }}
{% endmacro %}


{# The tests of each model, by its unique id: their own unique ids. #}
{% macro tests_by_model() %}
    {%- set tests = {} -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'test' and node.attached_node -%}
        {%- do tests.setdefault(node.attached_node, []).append(node.unique_id) -%}
    {%- endfor -%}
    {{ return(tests) }}
{% endmacro %}


{# As an on-run-end hook: writes up to which change the models are tested whose tests have all passed in this run. #}
{% macro mark_tested(results) %}
    {%- if execute and kind_of(watermarks()) == 'table' -%}
        {%- set passed = results | selectattr('status', 'equalto', 'pass') | map(attribute='node.unique_id') | list -%}
        {%- set tracking, staging = [], [] -%}
        {%- for model_id, tests in tests_by_model().items() if not tests | reject('in', passed) | list -%}
            {%- set node = graph.nodes[model_id] -%}
            {%- if node.config.materialized == 'changed_days' -%}
                {%- do tracking.append("'" ~ node.alias ~ "'") -%}
            {%- elif node.config.meta.get('loaded_by') -%}
                {%- do staging.append("('" ~ node.alias ~ "')") -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if tracking -%}
            {#- not what another run has applied meanwhile, and will test -#}
            {%- do run_query(
                "update " ~ watermarks() ~ " set tested_change_id = change_id
                where applied_by = '" ~ invocation_id ~ "' and model_name in (" ~ tracking | join(', ') ~ ")"
            ) -%}
        {%- endif -%}
        {%- set tracked = existing('int_loads_tracked') -%}
        {%- if staging and tracked is not none -%}
            {%- do run_query(mark_staging(staging, tracked)) -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{# Staging was tested before its loads were tracked: it counts only where no load has come since the run began. #}
{% macro mark_staging(staging, tracked) %}
    insert into {{ watermarks() }} as held (model_name, change_id, applied_at, applied_by, tested_change_id)
    select names.model_name, newest.change_id, now(), '{{ invocation_id }}', newest.change_id
    from (values {{ staging | join(', ') }}) as names (model_name)
    cross join (select max(change_id) as change_id from {{ tracked }}) as newest
    where
        newest.change_id is not null
        and exists (
            select 1 from {{ watermarks() }} as noted
            where
                noted.model_name = 'stg_loader__load_ledger'
                and noted.applied_by = '{{ invocation_id }}'
                and noted.change_id = ({{ loads_fingerprint() }})
        )
    on conflict (model_name) do update set
        change_id = excluded.change_id,
        applied_at = excluded.applied_at,
        applied_by = excluded.applied_by,
        tested_change_id = excluded.tested_change_id
{% endmacro %}


{# When a run begins: which loads there are. #}
{% macro note_loads() %}
    {%- if existing('stg_loader__load_ledger') is not none -%}
        {%- do run_query(write_watermark('stg_loader__load_ledger', '(' ~ loads_fingerprint() ~ ')')) -%}
    {%- endif -%}
{% endmacro %}


{# A query for a number that differs where the loads differ. #}
{% macro loads_fingerprint() -%}
    select coalesce(sum(hashtext(cast(load_id as text))), 0) from {{ existing('stg_loader__load_ledger') }}
{%- endmacro %}
