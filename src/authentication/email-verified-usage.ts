import { getMetadataArgsStorage } from 'routing-controllers';
import { EmailVerified } from './access-rule.js';

/**
 * The places in controllers that use `EmailVerified`, as `Class` or `Class.method`. Uses inside another predicate are
 * not found.
 */
export function usesOfEmailVerified(controllers: readonly unknown[]): string[] {
  return getMetadataArgsStorage()
    .responseHandlers.filter(({ target, type }) => type === 'authorized' && controllers.includes(target))
    .filter(({ value }) => [value].flat().includes(EmailVerified))
    .map(({ target, method }) => `${(target as { name: string }).name}${method ? `.${method}` : ''}`);
}
