import 'reflect-metadata';
import type { Request } from 'express';
import type { JwtPayload } from 'jsonwebtoken';
import passport from 'passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { createExpressServer, Get, JsonController, Req, UseBefore } from 'routing-controllers';
import { bearers } from './bearer.js';
import { SECRET, serve } from './serve.js';

/** passport with passport-jwt, configured as in its manual, in front of a controller. */
passport.use(
  new Strategy(
    { jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(), secretOrKey: SECRET, algorithms: ['HS256'] },
    (claims: JwtPayload, done) => done(null, claims),
  ),
);

@JsonController('/profile')
@UseBefore(passport.authenticate('jwt', { session: false }))
class ProfileController {
  @Get('/id')
  id(@Req() request: Request) {
    const claims = request.user as JwtPayload;
    return { id: claims.sub, permissions: claims['permissions'] };
  }
}

serve(createExpressServer({ controllers: [ProfileController] }), { get: { path: '/profile/id', users: bearers() } });
