import { Migration, Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect, test } from 'vitest';
import { passkeysModule } from '../../../src/features/passkeys/index.js';
import { authMigrations } from '../../../src/index.js';
import { entitiesWith } from '../../support/codes.module.js';
import { createTestDatabase } from '../../support/test-database.js';
