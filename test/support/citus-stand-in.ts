/**
 * Stand-ins, on one node, for the functions and the table of Citus that the documented migrations, the purge and `check`
 * use. They move no rows: a table has one shard, which is the table itself.
 */
export const CITUS_STAND_IN = `
  create table pg_dist_partition
    (logicalrelid regclass, partmethod "char", partkey text, colocationid int, repmodel "char");
  create function create_reference_table(placed regclass) returns void language sql as $$
    insert into pg_dist_partition values (placed, 'n', null, 1, 't') $$;
  create function create_distributed_table(placed regclass, by text, colocate_with text default null)
    returns void language sql as $$
    insert into pg_dist_partition values (placed, 'h', by, coalesce(
      (select colocationid from pg_dist_partition where logicalrelid = colocate_with::regclass),
      (select 2 + count(*) from pg_dist_partition)), 's') $$;
  create function column_to_column_name(placed regclass, key text) returns text language sql as 'select key';
  create function run_command_on_shards(placed text, command text) returns table (result text) language plpgsql as $$
    begin return query execute format('select (%s)::text', replace(command, '%s', placed)); end $$`;
