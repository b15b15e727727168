import { randomUUID } from 'node:crypto';
import { Entity, ManyToOne, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsBoolean,
  IsDate,
  IsOptional,
  IsString,
  Length,
  Matches,
  MaxLength,
  MinLength,
  registerDecorator,
  type ValidationOptions,
} from 'class-validator';
import { afterEach, describe, expect, expectTypeOf, test } from 'vitest';
import { AuthClient, type UserProfile } from '../../src/client/index.js';
import { type AppInputs, BaseUser, ProfileInput, RegistrationInput } from '../../src/index.js';
import { answerChecker, documentOf, expectWhole } from '../support/documented-app.js';
import { expectProblem } from '../support/expect-problem.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';
import { Organization } from '../support/users.js';

/** A user with columns of the app. */
@Entity({ tableName: 'app_user' })
class MemberUser extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @Property({ type: 'string', length: 80, default: '' })
  company: string = '';

  @Property({ type: 'boolean', default: false })
  newsletter: boolean = false;

  @Property({ type: 'datetime', nullable: true })
  birthday?: Date | null;

  @Property({ type: 'json', default: '[]' })
  tags: string[] = [];

  @Property({ type: 'string', nullable: true, hidden: true })
  inviteCode?: string | null;

  @Property({ type: 'integer', version: true })
  version!: number;

  @Property({ type: 'string', persist: false })
  nickname?: string;

  @ManyToOne({ entity: () => Organization, nullable: true })
  organization?: Organization;
}

/** A rule that waits for something. */
const IsFree = (options?: ValidationOptions) => (target: object, propertyName: string) =>
  registerDecorator({
    target: target.constructor,
    propertyName,
    async: true,
    options: { message: 'is taken', ...options },
    validator: { validate: async (value) => value !== 'Acme' },
  });

class MemberRegistrationInput extends RegistrationInput {
  @IsString()
  @MaxLength(80)
  @IsFree()
  company!: string;

  @IsOptional()
  @Type(() => Date)
  @IsDate()
  birthday?: Date;

  @IsOptional()
  @IsString({ each: true })
  @ArrayMaxSize(3)
  tags?: string[];

  @IsOptional()
  @IsString()
  inviteCode?: string;
}

class MemberProfileInput extends ProfileInput {
  @IsOptional()
  @IsString()
  @MaxLength(80)
  @IsFree()
  company?: string;

  @IsOptional()
  @IsBoolean()
  newsletter?: boolean = false; // a default of the class does not count as input
}

const INPUTS: AppInputs = { registration: MemberRegistrationInput, profile: MemberProfileInput };
const OPTIONS = { user: MemberUser, auth: { inputs: INPUTS } };
const EMAIL = 'ada@example.com';
const GIVEN = {
  email: EMAIL,
  password: PASSWORD,
  firstName: 'Ada',
  company: 'Engines',
  birthday: '1815-12-10T00:00:00.000Z',
  tags: ['maths', 'poetry'],
  inviteCode: 'x7',
};
const SHOWN = { company: 'Engines', birthday: GIVEN.birthday, tags: GIVEN.tags, newsletter: false };

let app: TestApp | MailApp | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

const rows = async (): Promise<Record<string, unknown>[]> =>
  (await app?.database.pool.query('select * from app_user'))?.rows ?? [];
const signUp = (body: object) =>
  app?.client().send('POST', '/auth/registration', body) as ReturnType<ReturnType<TestApp['client']>['send']>;

describe('fields of the app at a sign-up', () => {
  test('are written to the user and shown by GET /user, except a hidden one', async () => {
    app = await createTestApp(OPTIONS);
    const client = app.client();
    const { status, body } = await signUp(GIVEN);
    expect(status).toBe(201);
    expect((await rows())[0]).toMatchObject({
      first_name: 'Ada',
      company: 'Engines',
      tags: GIVEN.tags,
      invite_code: 'x7',
    });
    await client.login(EMAIL);
    expect((await client.get('/auth/user')).body).toEqual({
      id: (await rows())[0]?.['id'],
      email: EMAIL,
      firstName: 'Ada',
      lastName: '',
      role: 0,
      emailVerified: true,
      ...SHOWN,
    });
    expect(JSON.stringify(body)).not.toContain('x7');
  });

  test('are passed to the hook before a sign-up', async () => {
    const seen: object[] = [];
    const hooks = { beforeSignUp: async ({ user }: { user: object }) => void seen.push(user) };
    app = await createTestApp({ user: MemberUser, auth: { inputs: INPUTS, hooks } });
    await signUp({ ...GIVEN, birthday: undefined });
    expect(seen).toEqual([{ email: EMAIL, firstName: 'Ada', company: 'Engines', tags: GIVEN.tags, inviteCode: 'x7' }]);
  });

  test('are kept during a sign-up that waits for its mail', async () => {
    const mail = await createMailApp({ emailVerification: 'mandatory' }, OPTIONS);
    app = mail;
    expect((await signUp(GIVEN)).status).toBe(201);
    expect(await rows()).toEqual([]);
    expect((await mail.open(await mail.linkTo(EMAIL))).status).toBe(200);
    const client = app.client();
    expect((await client.login(EMAIL)).status).toBe(200);
    expect((await client.get('/auth/user')).body).toMatchObject({ firstName: 'Ada', ...SHOWN });
    expect((await rows())[0]).toMatchObject({ invite_code: 'x7', birthday: new Date(GIVEN.birthday) });
  });

  test.each<[what: string, changes: object, field: string, message: string | RegExp]>([
    ['a missing one', { company: undefined }, 'company', /must be a string/],
    ['one that is too long', { company: 'x'.repeat(81) }, 'company', /shorter than or equal to 80/],
    ['one that an asynchronous rule refuses', { company: 'Acme' }, 'company', 'is taken'],
    ['one of another type', { company: ['Engines'] }, 'company', /must be a string/],
    ['a list with too much in it', { tags: ['a', 'b', 'c', 'd'] }, 'tags', /no more than 3/],
    ['a list of objects', { tags: [{}] }, 'tags', 'must be a plain value or a list of them'],
    ['an object', { company: { length: 3 } }, 'company', 'must be a plain value or a list of them'],
    ['a list in a field of the library', { firstName: ['Ada'] }, 'firstName', 'must be a plain value'],
    ['one that is for the profile only', { newsletter: true }, 'newsletter', 'is not a known field'],
    ['NUL, which no column takes', { company: 'a\0b' }, 'company', 'must be well-formed text without NUL'],
    ['a lone surrogate in a list', { tags: ['a', '\ud83d'] }, 'tags', 'must be well-formed text without NUL'],
    ['null where the column takes none', { tags: null }, 'tags', 'must not be null'],
    ['the role', { role: 1000 }, 'role', 'is not a known field'],
  ])('are refused with %s, and no user is created', async (_what, changes, field, message) => {
    app = await createTestApp(OPTIONS);
    const answer = await signUp({ ...GIVEN, ...changes });
    expectProblem(answer, 400, 'validation_failed');
    const errors = answer.body.errors as { field: string; messages: string[] }[];
    expect(errors.map((each) => each.field)).toEqual([field]);
    expect(errors[0]?.messages.join()).toMatch(message);
    expect(await rows()).toEqual([]);
  });

  test("are in one answer with the faults of the password and of the library's fields", async () => {
    app = await createTestApp(OPTIONS);
    const answer = await signUp({ ...GIVEN, email: 'nobody', password: 'short', company: 'Acme' });
    const errors = answer.body.errors as { field: string }[];
    expect(errors.map(({ field }) => field).sort()).toEqual(['company', 'email', 'password']);
  });

  test('cannot overwrite values that the library knows about the client or the user', async () => {
    app = await createTestApp(OPTIONS);
    for (const field of [
      'ip',
      'userAgent',
      'replaces',
      'fields',
      'passwordHash',
      '__proto__',
      'constructor',
      'version',
    ]) {
      const body = JSON.stringify({ ...GIVEN }).replace(/\}$/, `,"${field}":{"role":1000}}`);
      expectProblem(await app.client().send('POST', '/auth/registration', body), 400, 'validation_failed');
    }
    expect(await rows()).toEqual([]);
  });
});

describe('rules of the app for a field of the library', () => {
  class StrictInput extends RegistrationInput {
    @Matches(/@example\.com/)
    override email!: string;

    @MinLength(2)
    override firstName?: string;

    @Length(3, 2000)
    override password!: string;
  }

  test('are added to those of the library and remove none', async () => {
    app = await createTestApp({ user: MemberUser, auth: { inputs: { registration: StrictInput } } });
    const good = { email: EMAIL, password: PASSWORD, firstName: 'Ada' };
    for (const [field, value] of [
      ['email', 'ada@example.com <mallory@example.org>'],
      ['email', 'ada\u200b@example.com'],
      ['email', 'ada@example.org'],
      ['firstName', 'x'.repeat(151)],
      ['firstName', 'A\r\nda'],
      ['firstName', 'A'],
      ['password', ['a', 'b', 'c']],
    ] as const) {
      const answer = await signUp({ ...good, [field]: value });
      expectProblem(answer, 400, 'validation_failed');
      expect((answer.body.errors as { field: string }[]).map((each) => each.field)).toEqual([field]);
    }
    expect(await rows()).toEqual([]);
    expect((await signUp(good)).status).toBe(201);
    expect((await signUp({ ...good, firstName: undefined, email: 'b@example.com' })).status).toBe(201);
  });
});

describe('fields of the app in the profile', () => {
  test('change if they are sent, and stay if they are not', async () => {
    app = await createTestApp(OPTIONS);
    await signUp(GIVEN);
    const client = app.client();
    await client.login(EMAIL);
    const patch = (body: object) => client.send('PATCH', '/auth/user', body, client.bearer);
    expect((await patch({ newsletter: true })).body).toMatchObject({ ...SHOWN, newsletter: true });
    expect((await patch({ lastName: 'Lovelace' })).body).toMatchObject({ ...SHOWN, newsletter: true });
    expect((await patch({ company: 'Looms' })).body).toMatchObject({ ...SHOWN, company: 'Looms', newsletter: true });
    for (const body of [{ company: 'Acme' }, { newsletter: 'yes' }, { tags: [] }, { company: null }, { role: 1 }])
      expectProblem(await patch(body), 400, 'validation_failed');
    expect((await rows())[0]).toMatchObject({ company: 'Looms', newsletter: true, last_name: 'Lovelace', role: 0 });
    expect((await client.send('PATCH', '/auth/user', undefined, client.bearer)).status).toBe(200);
  });
});

describe('a class of the app is refused at start', () => {
  class NoInput {
    @IsString()
    company!: string;
  }
  const withField = (name: string) => {
    class OwnInput extends RegistrationInput {}
    IsString()(OwnInput.prototype, name);
    return OwnInput;
  };
  const start = (inputs: AppInputs) => createTestApp({ user: MemberUser, auth: { inputs } });

  test.each(['id', 'role', 'isActive', 'emailVerified', 'passwordHash'])('with a field "%s"', async (name) => {
    await expect(start({ registration: withField(name) })).rejects.toThrow(
      `inputs.registration: a field "${name}" would change a property that only the library may write`,
    );
  });

  test('with a field "email" in the profile', async () => {
    class EmailInput extends ProfileInput {
      @IsString()
      email!: string;
    }
    await expect(start({ profile: EmailInput })).rejects.toThrow('inputs.profile: a field "email" would change');
  });

  test.each(['nowhere', 'nickname', 'organization', 'version', 'constructor'])(
    'with a field "%s", which is not a stored property of the user',
    async (name) => {
      await expect(start({ registration: withField(name) })).rejects.toThrow(
        `inputs.registration: MemberUser has no stored property "${name}"`,
      );
    },
  );

  test("that does not extend the library's class", async () => {
    const refused = 'inputs.registration: NoInput does not extend RegistrationInput';
    await expect(start({ registration: NoInput as never })).rejects.toThrow(refused);
  });
});

test('the document describes the fields, and the answers match it', async () => {
  app = await createTestApp(OPTIONS);
  const document = documentOf(app);
  await expectWhole(document);
  const schemas = document.components.schemas as Record<string, { properties: object; required?: string[] }>;
  expect(schemas['AuthRegistrationInput']).toMatchObject({
    properties: { company: { type: 'string', maxLength: 80 }, tags: { type: 'array', maxItems: 3 } },
    required: expect.arrayContaining(['email', 'password', 'company']),
  });
  expect(Object.keys(schemas['AuthProfileInput']?.properties ?? {}).sort()).toEqual([
    'company',
    'firstName',
    'lastName',
    'newsletter',
  ]);
  expect(Object.keys(schemas['AuthProfile']?.properties ?? {})).toEqual(
    expect.arrayContaining(['company', 'birthday', 'tags', 'newsletter']),
  );
  expect(Object.keys(schemas['AuthProfile']?.properties ?? {})).not.toContain('inviteCode');
  const check = answerChecker(document);
  await signUp({ email: EMAIL, password: PASSWORD, company: 'Engines' });
  const client = app.client();
  await client.login(EMAIL);
  const answer = await fetch(`${app.url}/auth/user`, { headers: client.bearer });
  const body = (await answer.json()) as object;
  expect(body).toMatchObject({ company: 'Engines', birthday: null, tags: [] });
  expect(check('GET', '/auth/user', { status: answer.status, body, headers: answer.headers })).toEqual([]);
});

test('two apps in one process have separate fields', async () => {
  app = await createTestApp(OPTIONS);
  const plain = await createTestApp({ user: MemberUser });
  const answer = await plain.client().send('POST', '/auth/registration', GIVEN);
  expectProblem(answer, 400, 'validation_failed');
  expect((await signUp(GIVEN)).status).toBe(201);
  await plain.close();
});

test('the client has them in its types', async () => {
  app = await createTestApp(OPTIONS);
  const fetchOf = (request: Request) => globalThis.fetch(request);
  const client = new AuthClient<object, { company: string; newsletter?: boolean }>({
    url: `${app.url}/auth`,
    fetch: fetchOf,
  });
  const plain = new AuthClient({ url: `${app.url}/auth`, fetch: fetchOf });
  // @ts-expect-error: the company is missing
  const missing = () => client.register({ email: EMAIL, password: PASSWORD });
  // @ts-expect-error: a client without fields has no company
  const unknown = () => plain.register({ email: EMAIL, password: PASSWORD, company: 'Engines' });
  expect([missing, unknown]).toHaveLength(2);
  expect(await client.register({ email: EMAIL, password: PASSWORD, company: 'Engines' })).toBe('signed-in');
  const { company } = await client.updateUser({ newsletter: true });
  expectTypeOf(company).toEqualTypeOf<string>();
  const profile: UserProfile = await client.getUser();
  expect(profile).toMatchObject({ company: 'Engines', newsletter: true });
  client.close();
  plain.close();
});
