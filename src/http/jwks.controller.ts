import { Get, Header, JsonController } from 'routing-controllers';
import { Service } from 'typedi';
import type { KeyRing, PublicJwk } from '../tokens/key-ring.js';
import { untransformed } from './untransformed.js';

/**
 * Seconds for which a resource server may keep the keys: what a rotation has to wait between the publication of a key
 * and its first signature. Short enough for that, and long enough that nobody asks at every request.
 */
const MAX_AGE = 300;

/**
 * The public keys of our tokens, so that a server elsewhere can verify them by itself (RFC 7517 §5). No secret is among
 * them.
 */
export function createJwksController(prefix: string, keys: KeyRing) {
  const body: { readonly keys: readonly PublicJwk[] } = { keys: keys.publicKeys() };

  @Service()
  @JsonController(prefix, untransformed)
  class JwksController {
    @Get('/.well-known/jwks.json')
    @Header('X-Content-Type-Options', 'nosniff')
    @Header('Cache-Control', `public, max-age=${MAX_AGE}`)
    get() {
      return body;
    }
  }
  return JwksController;
}
