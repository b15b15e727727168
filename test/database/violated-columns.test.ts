import { expect, test } from 'vitest';
import { violatedColumns } from '../../src/database/violated-columns.js';

test.each<[detail: string | undefined, columns: string[]]>([
  ['Key (nickname)=(ada) already exists.', ['nickname']],
  ['Key (tenant_id, nickname)=(7, ada) already exists.', ['tenant_id', 'nickname']],
  ['Key (lower(nickname::text))=(ada) already exists.', ['lower', 'nickname', 'text']],
  ['Key ("nick ""name""")=(ada) already exists.', ['nick "name"']],
  ['Key (nickname)=(x)=(y)) already exists.', ['nickname']],
  ['Schlüssel »(nickname)=(ada)« existiert bereits.', ['nickname']],
  ['', []],
  [undefined, []],
])('the columns of %j are %j', (detail, columns) => {
  expect(violatedColumns(Object.assign(new Error('x'), { detail }))).toEqual(columns);
});
