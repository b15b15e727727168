export { type CollectedEvent, CollectedEvents, collectEvents } from './collected-events.js';
export { CollectedMails } from './collected-mails.js';
export { createUser, type NewUser } from './create-user.js';
export { type PostgresServer, startPostgres } from './postgres-server.js';
export { SignedIn, type SignInOptions, signIn } from './signed-in.js';
export { startTestApp, type TestApp, type TestAppOptions } from './test-app.js';
export { TestClock } from './test-clock.js';
export { createTestDatabase, type TestDatabase } from './test-database.js';
export { startTestPostgres } from './test-postgres.js';
