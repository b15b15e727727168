import { getMetadataArgsStorage } from 'routing-controllers';
import { EmailVerified } from './access-rule.js';

/**
 * Where controllers ask for `EmailVerified`, as `Class` or `Class.method`. A predicate that asks within itself is not
 * seen.
 */
export function usesOfEmailVerified(controllers: readonly unknown[]): string[] {
  return getMetadataArgsStorage()
    .responseHandlers.filter(({ target, type }) => type === 'authorized' && controllers.includes(target))
    .filter(({ value }) => [value].flat().includes(EmailVerified))
    .map(({ target, method }) => `${(target as { name: string }).name}${method ? `.${method}` : ''}`);
}
