import { RefreshToken as DefaultRefreshToken, type ForUserOptions } from 'jwt-allauth';
import type { User } from './user.entity.js';

/**
 * The demo's refresh token class: the user's permissions become a claim of the refresh token and of every access token.
 */
export class RefreshToken extends DefaultRefreshToken {
  setUserPermissions(user: User) {
    this.payload.permissions = user.permissions;
  }

  static override async forUser(user: User, options?: ForUserOptions) {
    const token = await super.forUser(user, options);
    token.setUserPermissions(user);
    return token;
  }
}
