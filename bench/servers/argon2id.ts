import { hash, verify } from '@node-rs/argon2';
import { ARGON2, PASSWORD, serve } from './serve.js';

/** The password hash alone: as many sign-ins as the processor could do at best. */
const expected = await hash(PASSWORD, ARGON2);

serve(
  async (request, response) => {
    request.resume();
    response.statusCode = (await verify(expected, PASSWORD)) ? 200 : 401;
    response.end();
  },
  { signIn: { path: '/', bodies: [{}] } },
);
