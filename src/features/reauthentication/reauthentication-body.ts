import type { FieldError } from '../../error.js';
import { authError } from '../../error-table.js';
import { isJsonObject } from '../../http/json-object.js';
import type { JsonSchema, NamedSchema } from '../../http/json-schema.js';
import { notAnObject } from '../../http/read-body.js';
import type { ReAuthentications } from '../../sign-in/re-authentications.js';
import type { Reauthentication } from './reauthentication.service.js';

/** The body with a proof: exactly one member, which belongs to a method of this app. */
export class ReauthenticationBody {
  constructor(private readonly reAuthentications: ReAuthentications) {}

  /** The only proof in a body. @throws validation_failed, with no submitted value */
  read(body: unknown = {}): Reauthentication {
    if (!isJsonObject(body)) throw notAnObject();
    const [first, ...others] = Object.entries(body);
    const members = this.reAuthentications.all.map(({ member }) => member);
    if (!first || others.length > 0) {
      throw refused({ field: '', messages: [`must have exactly one of ${members.join(', ')}`] });
    }
    const [member, proof] = first;
    const method = this.reAuthentications.byMember(member);
    if (!method) throw refused({ field: member.slice(0, 64), messages: ['is not a known field'] });
    const hasForm = method.isProof ? method.isProof(proof) : typeof proof === 'string';
    if (!hasForm) throw refused({ field: member, messages: [method.isProof ? 'is not valid' : 'must be a string'] });
    return { member, proof };
  }

  /** Its schema. Complete when all modules have been created. */
  get schema(): NamedSchema {
    const members = this.reAuthentications.all.map(({ member, schema }) => [member, schema ?? SCHEMAS[member] ?? TEXT]);
    const properties = Object.fromEntries(members) as Readonly<Record<string, JsonSchema>>;
    const one = { minProperties: 1, maxProperties: 1 };
    return {
      name: 'AuthReauthentication',
      schema: { type: 'object', properties, ...one, additionalProperties: false },
    };
  }
}

const TEXT: JsonSchema = { type: 'string' };
const SCHEMAS: Readonly<Record<string, JsonSchema>> = { password: { type: 'string', format: 'password' } };

function refused(fault: FieldError) {
  return authError('validation_failed', { errors: [fault] });
}
