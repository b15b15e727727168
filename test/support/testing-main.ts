import 'reflect-metadata';
import type { MikroORM } from '@mikro-orm/postgresql';
import { User } from '../../src/index.js';
import { startTestApp } from '../../src/testing/index.js';

/** A process that tests an app on an embedded database, prints both URLs, and ends as its argument says. */
const ending = process.argv[2];
const prepare = async (orm: MikroORM) => {
  process.stdout.write(`${orm.config.get('clientUrl')}\n`);
  if (ending === 'fails to start') throw new Error('no tables');
  await orm.schema.create();
};
try {
  const app = await startTestApp({ user: User, prepare });
  const { headers } = await app.signIn(await app.createUser());
  const { status } = await fetch(`${app.url}/auth/user`, { headers });
  process.stdout.write(`${app.url}\n${status}\n`);
  if (ending === 'exits') process.exit();
  await app.close();
} catch (error) {
  process.stdout.write(`${(error as Error).message}\n`);
}
