'use strict';

const { twice } = require('./lib/twice');

console.log('loaded %s', 'once');

module.exports = {
  callback(context, events, done) {
    events.emit('counter', 'called', 1);
    context.vars.n = twice(context.vars.n);
    context.vars.list = [1, { a: 'x"y' }];
    done();
  },
  async asynchronous(context) {
    await Promise.resolve();
    context.vars.n = await Promise.resolve(twice(context.vars.n));
    context.vars.scenario = context.scenario.name;
    context.vars.user = context._uid;
  },
  synchronous(context) { context.vars.n += 1; },
  unset(context) { context.vars.n = null; },
  throws() { throw new Error('out of luck'); },
  async rejects() { throw new TypeError('out of promises'); },
  refuses(context, events, done) { done(new Error('out of service')); },
  forgets(context, events, done) {},
  async waits() { await new Promise(() => {}); },
  endless() { for (;;) {} },
  notAFunction: 3,
};
