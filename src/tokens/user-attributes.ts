import { type EntityMetadata, type EntityProperty, JsonType, Reference, ReferenceKind } from '@mikro-orm/core';
import { namesOf } from '../settings/setting-names.js';
import type { Settings } from '../settings/settings.js';
import { type SettingFault, SettingsError } from '../settings/settings-error.js';
import { RESERVED_CLAIMS } from './claims.js';

/** Reads the value at a dotted path of the user. Null if a part of the path is missing. A bigint becomes a string. */
export function readAttribute(user: object, path: string): unknown {
  let value: unknown = user;
  for (const step of path.split('.')) {
    const holder = Reference.isReference(value) ? value.unwrap() : value;
    value = typeof holder === 'object' && holder !== null ? (holder as Record<string, unknown>)[step] : undefined;
  }
  return typeof value === 'bigint' ? String(value) : (value ?? null);
}

/**
 * Checks USER_ATTRIBUTES against the user entity.
 *
 * @returns the relations that must be loaded: those of which a path reads more than the key
 * @throws SettingsError with all reserved claims and all paths that lead to a hidden value or to no single value
 */
export function relationsOf(settings: Pick<Settings, 'userAttributes'>, user: EntityMetadata): string[] {
  const faults: SettingFault[] = [];
  const relations = new Set<string>();
  const setting = namesOf(settings)('userAttributes');
  for (const [claim, path] of Object.entries(settings.userAttributes)) {
    if ((RESERVED_CLAIMS as readonly string[]).includes(claim)) {
      faults.push({ setting, message: `names the reserved claim "${claim}"` });
    }
    const relation = relationOf(path, user);
    if (relation === undefined)
      faults.push({
        setting,
        message: `names "${path}", which ${user.className} does not have as a single value that is not hidden`,
      });
    else if (relation) relations.add(relation);
  }
  if (faults.length > 0) throw new SettingsError(faults);
  return [...relations];
}

/** The relation to load for a path. An empty string: none. Undefined: the path leads to no value that is allowed. */
function relationOf(path: string, user: EntityMetadata): string | undefined {
  const steps = path.split('.');
  const walked: string[] = [];
  let meta = user;
  for (const [index, step] of steps.entries()) {
    const property = meta.properties[step];
    const rest = steps.slice(index + 1);
    if (!property) return rest.length === 0 && isGetter(meta, step) ? walked.join('.') : undefined;
    if (isColumn(property, rest)) return walked.join('.');
    const target = property.targetMeta;
    if (!TO_ONE.includes(property.kind) || !target || rest.length === 0) return undefined;
    const isKey = rest.length === 1 && target.primaryKeys.includes(rest[0] as never);
    if (isKey && property.owner !== false) return walked.join('.');
    walked.push(step);
    meta = target;
  }
  return undefined;
}

const TO_ONE = [ReferenceKind.MANY_TO_ONE, ReferenceKind.ONE_TO_ONE];

/**
 * Whether a path ends in a value of the row itself: a column, a part of an embedded object, or a part of a JSON value.
 */
function isColumn(property: EntityProperty, rest: readonly string[]): boolean {
  if (property.hidden) return false; // hidden properties, such as the password hash, must not get into a token
  if (property.kind === ReferenceKind.EMBEDDED) {
    const [part = '', ...below] = rest;
    const embedded = property.embeddedProps[part];
    return embedded !== undefined && isColumn(embedded, below);
  }
  return property.kind === ReferenceKind.SCALAR && (rest.length === 0 || property.customType instanceof JsonType);
}

function isGetter(meta: EntityMetadata, name: string): boolean {
  for (let holder: object = meta.prototype; holder !== Object.prototype; holder = Object.getPrototypeOf(holder)) {
    const property = Object.getOwnPropertyDescriptor(holder, name);
    if (property) return property.get !== undefined;
  }
  return false;
}
