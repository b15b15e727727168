import { randomUUID } from 'node:crypto';
import { Collection, type EntityManager, FlushMode, RequestContext, wrap } from '@mikro-orm/core';
import { Entity, Filter, ManyToOne, OneToMany, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Authorized, CurrentUser, Get, JsonController, UseBefore } from 'routing-controllers';
import { Service } from 'typedi';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BaseUser, createAuthEntities, LoadUser } from '../../src/index.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import type { TestClient } from '../support/test-client.js';

@Entity({ tableName: 'team' })
class Team {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;
}

@Entity({ tableName: 'note' })
@Filter({ name: 'shown', cond: { isHidden: false }, default: true })
class Note {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  text!: string;

  @Property({ type: 'boolean' })
  isHidden: boolean = false;

  @ManyToOne({ entity: () => Member, nullable: true })
  owner?: object | null;
}

@Entity({ tableName: 'member' })
class Member extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @ManyToOne({ entity: () => Team, nullable: true, eager: true })
  team?: Team | null;

  @OneToMany({ entity: () => Note, mappedBy: 'owner', eager: true, orderBy: { id: 'asc' } })
  notes = new Collection<Note>(this);
}

const requestManager = () => RequestContext.getEntityManager() as EntityManager;

/** Code of the app that runs before the library: adds a team and a note, changes the user. Nothing is flushed. */
function change(_request: unknown, _response: unknown, next: (error?: unknown) => void): void {
  const em = requestManager();
  em.find(Member, {}, { populate: false }).then((members) => {
    for (const member of members) member.firstName = 'Changed';
    em.persist(em.create(Team, { id: 2, name: 'New' }));
    em.persist(em.create(Note, { id: 3, text: 'New', isHidden: false }));
    next();
  }, next);
}

const show = ({ firstName, team, notes }: Member) => ({
  firstName,
  team: team?.name,
  notes: notes.getItems().map(({ text }) => text),
});

@Service()
@JsonController('/relations')
@Authorized()
@LoadUser()
class RelationsController {
  @Get('/left')
  @UseBefore(change)
  left(@CurrentUser() user: Member) {
    return show(user);
  }

  @Get('/changed')
  async changed(@CurrentUser() user: Member) {
    const em = requestManager();
    const isManaged = [...user.notes].every((note) => {
      return em.getUnitOfWork().getById(Note, note.id) === note && wrap(note, true).__em === em;
    });
    for (const note of user.notes) note.text = 'Rewritten';
    if (user.team) user.team.name = 'Renamed';
    await em.flush();
    return { ...show(user), isManaged };
  }
}

describe.each([FlushMode.COMMIT, FlushMode.AUTO, FlushMode.ALWAYS])('an app whose ORM flushes %s', (flushMode) => {
  let app: TestApp;
  let ada: TestClient;
  const rows = async (sql: string) => (await app.database.pool.query({ text: sql, rowMode: 'array' })).rows.flat();
  const teams = () => rows('select name from team order by id');
  const notes = () => rows('select text from note order by id');

  beforeEach(async () => {
    const entities = [Member, Team, Note, ...createAuthEntities({ user: () => Member })];
    app = await createTestApp({ user: Member, orm: { entities, flushMode }, controllers: [RelationsController] });
    ada = await app.signedUp('ada@example.com');
    await rows(`insert into team (id, name) values (1, 'Engines')`);
    await rows(`insert into note (id, text, is_hidden, owner_id)
      select n, 'Note ' || n, n = 2, member.id from member, generate_series(1, 2) n`);
    await rows('update member set team_id = 1');
  });
  afterEach(() => app.close());

  test('gets the eager relations through its own filters, and @LoadUser writes none of its changes', async () => {
    const body = { firstName: 'Changed', team: 'Engines', notes: ['Note 1'] };
    expect(await ada.get('/relations/left')).toMatchObject({ status: 200, body });
    expect(await rows('select first_name from member')).toEqual(['']);
    expect(await teams()).toEqual(['Engines']);
    expect(await notes()).toEqual(['Note 1', 'Note 2']);
  });

  test('writes, with its own flush, its changes to the relations that @LoadUser loaded', async () => {
    const body = { firstName: '', team: 'Renamed', notes: ['Rewritten'], isManaged: true };
    expect(await ada.get('/relations/changed')).toMatchObject({ status: 200, body });
    expect(await teams()).toEqual(['Renamed']);
    expect(await notes()).toEqual(['Rewritten', 'Note 2']);
  });
});
