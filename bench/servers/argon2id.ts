import { hash, verify } from '@node-rs/argon2';
import { ARGON2, PASSWORD, serve } from './serve.js';

/** Only the password hash: the maximum number of sign-ins that the processor allows. */
const expected = await hash(PASSWORD, ARGON2);

serve(
  async (request, response) => {
    request.resume();
    response.statusCode = (await verify(expected, PASSWORD)) ? 200 : 401;
    response.end();
  },
  { signIn: { path: '/', bodies: [{}] } },
);
