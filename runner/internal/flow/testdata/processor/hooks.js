'use strict';

let passes = 0;
let requests = 0;

module.exports = {
  // Around the flow.
  prepare(context, events, done) { context.vars.user = 'ada'; context.vars.steps = ['prepare']; done(); },
  finish(context, events, done) { console.log('finish %s', context.vars.steps.join(' ')); done(); },

  seesAll(context, events, done) { console.log('%s %s %s', context.vars.name, JSON.stringify(context.vars.account), context.vars.passes); done(); },

  // Before the load; what it leaves every user starts with, and has a copy of.
  setUp(context, events, done) { context.vars.shared = { n: 1 }; context.vars.hidden = 'h'; context.vars.user = 'before'; done(); },
  add(context, events, done) { context.vars.shared.n += 1; context.vars.path = `${context.vars.shared.n}/${context.vars.hidden}/${context.vars.table.length}`; done(); },

  // Before a request.
  count(requestParams, context, events, done) {
    requestParams.headers['X-Count'] = String(++requests);
    context.vars.n = requests;
    return done();
  },
  async rewrite(requestParams, context) {
    await null;
    requestParams.url = requestParams.url.replace('/start', '/{{ user }}') + '?u={{ user }}';
    requestParams.method = 'put';
    requestParams.headers.authorization = 'Bearer {{ user }}';
    delete requestParams.headers['X-Drop'];
    requestParams.json = { who: '{{ user }}', said: 'hi {{ user }}', n: '{{ n }}', id: '{{ $randomNumber(3, 3) }}' };
  },
  field(requestParams, context, events, done) { requestParams.json.extra = context.vars.user; done(); },
  text(requestParams, context, events, done) { requestParams.body = 'a {{ user }} "b"'; done(); },
  form(requestParams, context, events, done) {
    requestParams.form = { a: 'b c', user: '{{ user }}&' };
    requestParams.qs = { q: '1 2' };
    requestParams.cookie = { c: '{{ user }}' };
    requestParams.auth = { user: 'u', pass: 'p' };
    done();
  },
  bare(requestParams, context, events, done) { requestParams.headers = { accept: null }; requestParams.uri = '/bare'; done(); },
  nothing(requestParams, context, events, done) { done(); },
  refuse(requestParams, context, events, done) { done(new Error('not this one')); },

  // After a request.
  look(requestParams, response, context, events, done) {
    events.emit('counter', 'looked', 2);
    events.emit('histogram', 'length', response.body.length);
    events.emit('rate', 'answers');
    events.emit('error', 'ELOOK');
    context.vars.last = JSON.parse(response.body).id;
    console.log('%s %s: %s %s, %s, %s', requestParams.method, requestParams.url, response.statusCode, response.headers['content-type'],
      requestParams.body, response.timings.phases.total);
    done();
  },
  peek(requestParams, response, context, events, done) { console.log('peek %s', response.statusCode); done(); },
  reject(requestParams, response, context, events, done) { done(new Error('not this answer')); },

  // When a flow did not end well.
  report(err, requestParams, context, events, done) { console.log('report %s, of %s', err.message, requestParams.url); done(); },

  // Conditions.
  isAda(vars) { return vars.user === 'ada'; },
  isBob(vars) { return vars.user === 'bob'; },
  fails() { throw new Error('do not know'); },
  more(context, done) { passes += 1; context.vars.passes = passes; done(passes % 3 !== 0); },
  never(context, done) { return done(false); },
  seesLoop(context, events, done) { context.vars.seen = `${context.vars.$loopCount}${context.vars.$loopElement}`; done(); },

  // Timers.
  waits(context, events, done) { const id = setTimeout(() => { throw new Error('was cleared'); }, 1); clearTimeout(id); setTimeout((x) => { context.vars.user = x; done(); }, 2000, 'late'); },
  async sleeps(context) { await new Promise((resolve) => setTimeout(resolve, 1000)); await new Promise((resolve) => setTimeout(resolve, 500)); context.vars.user = 'rested'; },
  waitsTooLong(context, events, done) { setTimeout(done, 3600000); },
  neverCalls(context, events, done) { setTimeout(() => {}, 10); },

  built(context, events, done) {
    console.log('%s %s %s %s', context.vars.target, context.vars.$scenarioFile, /^[0-9a-f-]{36}$/.test(context.vars.$uuid), typeof context.vars.$env.PATH);
    done();
  },
};
