import { type EntityMetadata, Reference, ReferenceKind } from '@mikro-orm/core';
import { type SettingFault, SettingsError } from '../settings/settings.js';
import { variableOf } from '../settings/settings-from-env.js';
import { RESERVED_CLAIMS } from './claims.js';

type Attributes = Readonly<Record<string, string>>;

/** The value at a dotted path on the user, as JSON can carry it; null where a step of the path is missing. */
export function readAttribute(user: object, path: string): unknown {
  let value: unknown = user;
  for (const step of path.split('.')) {
    const holder = Reference.isReference(value) ? value.unwrap() : value;
    value = typeof holder === 'object' && holder !== null ? (holder as Record<string, unknown>)[step] : undefined;
  }
  return typeof value === 'bigint' ? String(value) : (value ?? null);
}

/**
 * Checks USER_ATTRIBUTES against the user entity and finds the relations that have to be loaded for it: those of which more
 * than the key is asked.
 *
 * @throws SettingsError that names every claim that is reserved and every path that does not exist
 */
export function relationsOf(attributes: Attributes, user: EntityMetadata): string[] {
  const faults: SettingFault[] = [];
  const relations = new Set<string>();
  const setting = variableOf('userAttributes');
  for (const [claim, path] of Object.entries(attributes)) {
    if ((RESERVED_CLAIMS as readonly string[]).includes(claim)) {
      faults.push({ setting, message: `names the reserved claim "${claim}"` });
    }
    const relation = relationOf(path, user);
    if (relation === undefined)
      faults.push({ setting, message: `names "${path}", which ${user.className} does not have` });
    else if (relation) relations.add(relation);
  }
  if (faults.length > 0) throw new SettingsError(faults);
  return [...relations];
}

/** The relation to load for a path, '' when none is needed, undefined when the path does not exist. */
function relationOf(path: string, user: EntityMetadata): string | undefined {
  const steps = path.split('.');
  const walked: string[] = [];
  let meta = user;
  for (const [index, step] of steps.entries()) {
    const property = meta.properties[step];
    if (!property) return Object.hasOwn(meta.prototype, step) ? walked.join('.') : undefined;
    if (property.kind === ReferenceKind.SCALAR || property.kind === ReferenceKind.EMBEDDED) return walked.join('.');
    const target = property.targetMeta;
    if (!target || index === steps.length - 1) return undefined;
    const isKey = index === steps.length - 2 && target.primaryKeys.includes(steps[index + 1] as never);
    if (isKey && property.owner !== false) return walked.join('.');
    walked.push(step);
    meta = target;
  }
  return walked.join('.');
}
