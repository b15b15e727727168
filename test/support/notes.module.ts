import { randomUUID } from 'node:crypto';
import { defineEntity, p } from '@mikro-orm/core';
import { IsString, MaxLength } from 'class-validator';
import { Body, CurrentUser, Get, HttpCode, Post } from 'routing-controllers';
import type { AuthEvent } from '../../src/index.js';
import {
  AuthController,
  type AuthKernel,
  AuthMigration,
  type AuthModule,
  Count,
  DescribeRoute,
  errorsOf,
  Principal,
  Table,
  TableSweep,
  validateInput,
} from '../../src/module-kit.js';

declare module '../../src/index.js' {
  interface AuthEventMap {
    'note.added': AuthEvent & { readonly user: string };
  }
  interface ModuleSettings {
    notesLimit: number | string;
  }
}

class NotesSettings {
  /** The maximum number of notes of a user. */
  @Count(1)
  notesLimit = 2;

  /** Days until a note is deleted. */
  @Count(1)
  notesDays = 30;
}

class NoteInput {
  @IsString()
  @MaxLength(80)
  text!: string;
}

const ERRORS = { too_many_notes: { status: 409, detail: 'You have as many notes as you may have.' } } as const;
const notesError = errorsOf(ERRORS);

class AddNotes extends AuthMigration {
  up(): void {
    const [note, user] = [this.table('Note'), this.target('Note', 'user')];
    this.addSql(`create table ${note.name} (
      ${note.column('id')} uuid not null primary key,
      ${note.column('user')} ${note.columnType('user')} not null references ${user.name} on delete cascade,
      ${note.column('text')} varchar(80) not null,
      ${note.column('expiresAt')} timestamptz(3) not null
    )`);
  }

  down(): void {
    this.addSql(`drop table ${this.table('Note').name}`);
  }
}

/** Stores the notes of users. */
export class NotesService {
  readonly #table: Table;

  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      'orm' | 'database' | 'users' | 'mails' | 'journal' | 'clock' | 'settings'
    > & { readonly notes: NotesSettings },
  ) {
    this.#table = Table.named(kernel.orm, 'Note');
  }

  /** The texts of a user's notes. */
  async list(sub: string): Promise<string[]> {
    const { name, text, user } = this.#names;
    const sql = `select ${text} as text from ${name} where ${user} = $1 order by ${text}`;
    const rows = await this.kernel.database.query<{ text: string }>(sql, [this.kernel.users.keyOf(sub)]);
    return rows.map((row) => row.text);
  }

  /** Adds a note. @throws too_many_notes */
  async add(sub: string, content: string): Promise<void> {
    const { database, users, clock, notes, journal, mails } = this.kernel;
    const { name, text, user, expiresAt, id } = this.#names;
    if ((await this.list(sub)).length >= notes.notesLimit) throw notesError('too_many_notes');
    const until = new Date(clock.now() + notes.notesDays * 86_400_000);
    await database.transaction(async (em) => {
      const values = [randomUUID(), users.keyOf(sub), content, until];
      await database.query(
        `insert into ${name} (${id}, ${user}, ${text}, ${expiresAt}) values ($1, $2, $3, $4)`,
        values,
        em,
      );
      await journal.record([['note.added', { user: sub }]], em);
      const { email } = await users.getActive(em, sub);
      await mails.sendNotice('note-added', email, em);
    });
  }

  get #names() {
    const column = (property: string) => this.#table.column(property);
    const [id, user, text, expiresAt] = ['id', 'user', 'text', 'expiresAt'].map(column);
    return { name: this.#table.name, id, user, text, expiresAt };
  }
}

function createNotesController(notes: NotesService, prefix: string) {
  @AuthController(prefix, { isBearer: true, isJsonOnly: true })
  class NotesController {
    @Get('/notes')
    @DescribeRoute({ id: 'notes', tag: 'Notes', summary: 'The own notes', answers: { 200: { description: 'Texts.' } } })
    async list(@CurrentUser() { claims }: Principal) {
      return { notes: await notes.list(claims.sub) };
    }

    @Post('/notes')
    @HttpCode(201)
    @DescribeRoute({
      id: 'addNote',
      tag: 'Notes',
      summary: 'Add a note',
      body: NoteInput,
      answers: { 201: { description: 'It is added.' } },
      errors: ['too_many_notes'],
    })
    async add(@CurrentUser() { claims }: Principal, @Body({ type: NoteInput, required: false }) body: unknown) {
      await notes.add(claims.sub, validateInput(NoteInput, body).text);
      return { detail: 'The note is added.' };
    }
  }
  return NotesController;
}

/** A module as an app would write it: a table, a migration, settings, routes, a mail, an error, an event, a purge. */
export const notesModule: AuthModule<NotesSettings> & { closed: number } = {
  name: 'notes',
  settings: NotesSettings,
  errors: ERRORS,
  mails: {
    'note-added': {
      subject: 'A note was added',
      title: 'A note was added',
      before: 'You have a new note at <%= it.app %>.',
      after: 'You need do nothing.',
    },
  },
  entities: (user) => [
    defineEntity({
      name: 'Note',
      tableName: 'note',
      properties: {
        id: p.uuid().primary(),
        user: () => p.manyToOne(user()).deleteRule('cascade'),
        text: p.string().length(80),
        expiresAt: p.datetime(3),
      },
    }),
  ],
  migrations: [{ name: 'Notes_1', class: AddNotes }],
  commands: [
    {
      name: 'notes list',
      description: 'Lists the notes of a user.',
      options: [
        { flags: '--user <id or e-mail>', description: 'the user', isRequired: true },
        { flags: '--only-count', description: 'print how many there are' },
      ],
      async run({ auth, options, findUser, print }) {
        const { notes } = auth as { readonly notes: NotesService };
        const texts = await notes.list(String(await findUser(String(options['user']))));
        if (options['onlyCount']) print(String(texts.length));
        else for (const text of texts) print(text);
      },
    },
  ],
  create(kernel, settings) {
    const notes = kernel.make(NotesService, { ...kernel, notes: settings });
    const sweep = new TableSweep(kernel.database, Table.named(kernel.orm, 'Note'), { since: 'expiresAt' });
    return {
      controllers: [createNotesController(notes, kernel.prefix)],
      sweeps: { notes: sweep },
      api: { notes },
      close: async () => {
        notesModule.closed++;
      },
    };
  },
  closed: 0,
};
