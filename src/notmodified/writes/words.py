"""What may stand in front of a bracket in a query that writes nothing.

Rule of this module: a list of what is known to be harmless. Any other function may be a site's
own, and write.
"""

from __future__ import annotations

from typing import Final

_OF_SQL: Final = """
all and any array as by case cast distinct else except exists filter from group having in
intersect interval is join lateral like ilike limit materialized not offset on only or order
over partition recursive row select similar some then union using values when where window with
within bigint binary bit char character date datetime decimal double float integer int numeric
real signed smallint text time timestamp timestamptz unsigned varchar
"""
_FUNCTIONS: Final = """
abs acos age array_agg array_length array_position array_to_string ascii asin atan atan2 avg
bit_and bit_or bit_xor bool_and bool_or btrim ceil ceiling char_length character_length chr
coalesce concat concat_ws convert convert_tz corr cos cot count covar_pop covar_samp cume_dist
curdate current_database current_date current_schema current_time current_timestamp current_user
database date_add date_format date_part date_sub date_trunc datediff day dayofmonth dayofweek
dayofyear degrees dense_rank exp extract field find_in_set first_value floor format format_type
from_unixtime greatest group_concat has_table_privilege hour if ifnull isnull json_agg
json_array json_arrayagg json_build_object json_contains json_extract json_length json_object
json_objectagg json_unquote json_value jsonb_agg jsonb_array_elements jsonb_build_object
jsonb_extract_path jsonb_extract_path_text lag last_day last_value lead least left length ln
localtime localtimestamp locate log log10 log2 lower lpad ltrim make_date make_interval
make_time max md5 microsecond min minute mod mode month monthname now nth_value ntile nullif
obj_description octet_length percent_rank percentile_cont percentile_disc period_diff
pg_control_system pg_get_constraintdef pg_get_expr pg_get_indexdef pg_get_serial_sequence
pg_get_viewdef pg_table_is_visible phraseto_tsquery plainto_tsquery position pow power quarter
radians rand random rank regexp_like regexp_match regexp_replace regr_avgx regr_avgy regr_count
regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy repeat replace reverse right round
row_number rpad rtrim second sha1 sha2 sign similarity sin split_part sqrt starts_with stddev
stddev_pop stddev_samp str_to_date string_agg strpos substr substring sum sysdate tablesample
tan time_format timediff timestampadd timestampdiff timezone to_char to_date to_json to_jsonb
to_number to_regclass to_timestamp to_tsquery to_tsvector translate trim trunc truncate
ts_headline ts_rank ts_rank_cd unaccent unix_timestamp unnest upper utc_timestamp uuid var_pop
var_samp variance version websearch_to_tsquery week weekday word_similarity year yearweek
"""
WRITE_NOTHING: Final = frozenset((_OF_SQL + _FUNCTIONS).split())
"""In lower case."""
