import { defineEntity, type EntitySchema, p } from '@mikro-orm/core';

/** Name of the entity of unsent mails. */
export const OUTBOX_MAIL_ENTITY = 'AuthOutboxMail';

/** The recipient of a row that is not a mail but a job (`BackgroundJobs`). */
export const JOB_RECIPIENT = '';

/** The unsent mails. A row is deleted when its mail was sent, because the mail contains secret links. */
export function createOutboxMailEntity(): EntitySchema {
  return defineEntity({
    name: OUTBOX_MAIL_ENTITY,
    tableName: 'auth_outbox_mail',
    properties: {
      id: p.uuid().primary(),
      recipient: p.string().length(254),
      /** Subject, text and HTML, encrypted. */
      content: p.text(),
      attempts: p.integer(),
      nextAttemptAt: p.datetime(3).index(),
      /** When the mail is discarded, because its link has expired. */
      expiresAt: p.datetime(3),
    },
  });
}
