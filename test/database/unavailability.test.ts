import {
  DeadlockException,
  DriverException,
  TableNotFoundException,
  UniqueConstraintViolationException,
} from '@mikro-orm/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isDatabaseUnavailable } from '../../src/database/unavailability.js';
import { createTestApp } from '../support/test-app.js';
import { AppUser } from '../support/users.js';

const withCode = (code: unknown, message = 'a message') => Object.assign(new Error(message), { code });

describe('errors that count as an unavailable database', () => {
  test.each([
    ['08000', 'connection_exception'],
    ['08003', 'connection_does_not_exist'],
    ['08006', 'connection_failure'],
    ['08P01', 'protocol_violation, as PgBouncer answers when it is full'],
    ['25006', 'read_only_sql_transaction, of a standby'],
    ['40001', 'serialization_failure'],
    ['40P01', 'deadlock_detected'],
    ['53000', 'insufficient_resources'],
    ['53100', 'disk_full'],
    ['53200', 'out_of_memory'],
    ['53300', 'too_many_connections'],
    ['55P03', 'lock_not_available'],
    ['57014', 'query_canceled'],
    ['57P01', 'admin_shutdown'],
    ['57P02', 'crash_shutdown'],
    ['57P03', 'cannot_connect_now'],
    ['57P05', 'idle_session_timeout'],
  ])('SQLSTATE %s (%s)', (code) => {
    expect(isDatabaseUnavailable(withCode(code))).toBe(true);
    expect(isDatabaseUnavailable(new DriverException(withCode(code)))).toBe(true);
  });

  test.each([
    'ECONNREFUSED',
    'ECONNRESET',
    'EPIPE',
    'ETIMEDOUT',
    'ENOTFOUND',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'EAI_AGAIN',
  ])('%s from the network', (code) => {
    expect(isDatabaseUnavailable(withCode(code))).toBe(true);
    expect(isDatabaseUnavailable(new DriverException(withCode(code)))).toBe(true);
  });

  test('a host that refuses on each of its addresses', () => {
    const attempts = [withCode('ECONNREFUSED'), withCode('ECONNREFUSED')];
    const error = Object.assign(new AggregateError(attempts), { code: 'ECONNREFUSED' });
    expect(isDatabaseUnavailable(error)).toBe(true);
  });

  test.each([
    'timeout exceeded when trying to connect',
    'Connection terminated',
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'Client has encountered a connection error and is not queryable',
    'Client was closed and is not queryable',
    'Query read timeout',
    'Cannot use a pool after calling end on the pool',
  ])('the driver error "%s"', (message) => {
    expect(isDatabaseUnavailable(new Error(message))).toBe(true);
    expect(isDatabaseUnavailable(new DriverException(new Error(message)))).toBe(true);
  });

  test('a database that accepts no connections at present', () => {
    const error = Object.assign(withCode('55000'), { routine: 'CheckMyDatabase' });
    expect(isDatabaseUnavailable(error)).toBe(true);
    expect(isDatabaseUnavailable(new DriverException(error))).toBe(true);
  });

  test('a deadlock as the ORM reports it', () => {
    expect(isDatabaseUnavailable(new DeadlockException(withCode('40P01')))).toBe(true);
  });
});

describe('errors that do not count as an unavailable database', () => {
  test.each([
    ['22P02', 'invalid_text_representation'],
    ['55000', 'object_not_in_prerequisite_state of a statement'],
    ['22001', 'string_data_right_truncation'],
    ['23502', 'not_null_violation'],
    ['23503', 'foreign_key_violation'],
    ['23505', 'unique_violation'],
    ['25P02', 'in_failed_sql_transaction'],
    ['28P01', 'invalid_password'],
    ['3D000', 'invalid_catalog_name'],
    ['42501', 'insufficient_privilege'],
    ['42601', 'syntax_error'],
    ['42703', 'undefined_column'],
    ['42P01', 'undefined_table'],
    ['P0001', 'raise_exception'],
    ['XX000', 'internal_error'],
  ])('SQLSTATE %s (%s)', (code) => {
    expect(isDatabaseUnavailable(withCode(code))).toBe(false);
    expect(isDatabaseUnavailable(new DriverException(withCode(code)))).toBe(false);
  });

  test.each([
    ['an error of the ORM about a unique column', new UniqueConstraintViolationException(withCode('23505'))],
    ['an error of the ORM about a missing table', new TableNotFoundException(withCode('42P01'))],
    ['a plain error', new Error('something broke')],
    ['a bug', new TypeError("Cannot read properties of undefined (reading 'id')")],
    ['an error that only quotes the driver', new Error('we saw: Connection terminated unexpectedly')],
    ['a code that only begins like a SQLSTATE', withCode('40001X')],
    ['a code of Node in five letters', withCode('EPERM')],
    ['an empty code', withCode('')],
    ['a number of the app that looks like a SQLSTATE', withCode(40_001)],
    ['an object that is no error', { code: '57P01', message: 'Connection terminated' }],
    ['a string', 'Connection terminated'],
    ['null', null],
    ['undefined', undefined],
  ])('%s', (_what, error) => {
    expect(isDatabaseUnavailable(error)).toBe(false);
  });

  test('a NUL in a value, as PostgreSQL reports it', async () => {
    const { orm, close } = await createTestApp();
    onTestFinished(close);
    const error = await orm.em
      .fork()
      .findOne(AppUser, { email: 'a\0@example.com' })
      .catch((cause) => cause);
    expect(error).toMatchObject({ code: '08P01' });
    expect(isDatabaseUnavailable(error)).toBe(false);
  });
});
