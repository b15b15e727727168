import { randomUUID } from 'node:crypto';
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { IsOptional, IsString } from 'class-validator';
import { afterEach, expect, test } from 'vitest';
import { createSocialModule, socialModule } from '../../../src/features/social/index.js';
import { startTestProvider } from '../../../src/features/social/testing/index.js';
import {
  BaseUser,
  createAuthEntities,
  ProfileInput,
  RegistrationInput,
  UserCreationService,
} from '../../../src/index.js';
import type { AuthModule } from '../../../src/module-kit.js';
import { documentOf, operationsOf } from '../../support/documented-app.js';
import { expectProblem } from '../../support/expect-problem.js';
import { createMailApp, type MailApp } from '../../support/mail-app.js';
import { SocialBrowser, trusted } from '../../support/social-app.js';
import { PASSWORD } from '../../support/test-client.js';

@Entity({ tableName: 'app_user' })
class NamedUser extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @Property({ type: 'string', fieldName: 'nick "name"', unique: true, nullable: true })
  nickname?: string;

  @Property({ type: 'integer', unique: true, nullable: true })
  seat?: number;
}

class NamedRegistrationInput extends RegistrationInput {
  @IsOptional()
  @IsString()
  nickname?: string;
}

class NamedProfileInput extends ProfileInput {
  @IsOptional()
  @IsString()
  nickname?: string;
}

const inputs = { registration: NamedRegistrationInput, profile: NamedProfileInput };

let app: MailApp;
afterEach(() => app.close());

async function start(emailVerification: 'none' | 'optional' | 'mandatory', { module = socialModule, ...auth } = {}) {
  const modules = [module] as readonly AuthModule[];
  const orm = { entities: [NamedUser, ...createAuthEntities({ user: () => NamedUser, modules })] };
  app = await createMailApp({ emailVerification }, { user: NamedUser, orm, auth: { inputs, ...auth } });
}

const signUp = (name: string, nickname: string) =>
  app.client().send('POST', '/auth/registration', { email: `${name}@example.com`, password: PASSWORD, nickname });
const emails = async () =>
  (await app.database.pool.query('select email from app_user order by email')).rows.map(({ email }) => email);

const TAKEN = [{ field: 'nickname', messages: ['is taken already'] }];

test.each(['none', 'optional'] as const)(
  'a sign-up with a taken value is a 409 that names the field, under EMAIL_VERIFICATION=%s',
  async (mode) => {
    await start(mode);
    expect((await signUp('ada', 'countess')).status).toBe(201);
    const refused = await signUp('eve', 'countess');
    expectProblem(refused, 409, 'field_already_taken');
    expect(refused.body).toMatchObject({ detail: 'Another account has the same nickname already.', errors: TAKEN });
    expect(JSON.stringify(refused.body)).not.toContain('countess');
    const errors = operationsOf(documentOf(app)).filter(({ operation }) =>
      JSON.stringify(operation.responses['409'] ?? '').includes('"field_already_taken"'),
    );
    expect(errors.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'post /auth/registration',
      'patch /auth/user',
    ]);
    // The address counts first: the user signs up for the second time.
    expectProblem(await signUp('ada', 'countess'), 409, 'email_already_registered');
    expect([await emails(), app.log.filter(({ level }) => level === 'error')]).toEqual([['ada@example.com'], []]);
  },
);

test('where addresses must be confirmed, only the owner of the mailbox learns that a value is taken', async () => {
  await start('mandatory');
  expect((await signUp('ada', 'countess')).status).toBe(201);
  expect((await app.open(await app.linkTo('ada@example.com'))).status).toBe(200);
  const [fresh, taken] = [await signUp('eve', 'queen'), await signUp('mallory', 'countess')];
  expect([taken.status, taken.body]).toEqual([fresh.status, fresh.body]);
  const page = await app.open(await app.linkTo('mallory@example.com'));
  expect([page.status, page.html.includes('Another account has the same nickname already.')]).toEqual([409, true]);
  expect([await emails(), app.log.filter(({ level }) => level === 'error')]).toEqual([['ada@example.com'], []]);
});

test('a change of the profile to a taken value is refused the same way, and changes nothing', async () => {
  await start('none');
  await signUp('ada', 'countess');
  const client = app.client();
  await signUp('eve', 'queen');
  await client.login('eve@example.com');
  const refused = await client.send('PATCH', '/auth/user', { nickname: 'countess', firstName: 'Eve' }, client.bearer);
  expectProblem(refused, 409, 'field_already_taken');
  expect(refused.body.errors).toEqual(TAKEN);
  expect((await client.get('/auth/user')).body).toMatchObject({ nickname: 'queen', firstName: '' });
});

test('a taken value that the client did not give is a fault of the server, which is logged', async () => {
  class Seated extends UserCreationService {
    protected override createUser(...[em, user]: Parameters<UserCreationService['createUser']>) {
      return Object.assign(super.createUser(em, user), { seat: 1 });
    }
  }
  await start('none', { services: [Seated] } as object);
  expect((await signUp('ada', 'countess')).status).toBe(201);
  expectProblem(await signUp('eve', 'queen'), 500, 'internal_error');
  expect(app.log.filter(({ level }) => level === 'error')).toHaveLength(1);
});

test('a sign-up with a provider gets the code, if the hook of the app gave the value', async () => {
  const provider = await startTestProvider();
  const mapProfile = () => ({ nickname: 'countess' });
  await start('optional', { module: createSocialModule({ providers: [trusted(provider)], mapProfile }) });
  await signUp('ada', 'countess');
  provider.signInAs({ email: 'eve@example.com' });
  const { query, fragment } = await new SocialBrowser(app).signIn();
  expect([query, fragment]).toEqual([{ error: 'field_already_taken' }, { status: '409' }]);
  expect(await emails()).toEqual(['ada@example.com']);
  await provider.close();
});
