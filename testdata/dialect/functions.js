'use strict';

// Functions of the scripts beside this file.
let passes = 0;

module.exports = {
  greet(context, events, done) { context.vars.greeting = 'hello'; done(); },
  async greetAsync(context) { await null; context.vars.greeting = `${context.vars.greeting}-again`; },
  goodbye(context, events, done) { console.log('goodbye from %s', context.scenario.name || 'nowhere'); done(); },
  countItems(context, events, done) { context.vars.count = context.vars.items.length; context.vars.city += '!'; done(); },

  sign(requestParams, context, events, done) { requestParams.headers['X-Own'] = `signed ${requestParams.method}`; done(); },
  more(requestParams, context, events, done) { requestParams.headers['X-Count'] = '1'; done(); },
  rewrite(requestParams, context, events, done) {
    requestParams.url = requestParams.url.replace('/b', '/rewritten');
    requestParams.json.more = [requestParams.json.n, '{{ $randomNumber(4, 4) }}'];
    done();
  },
  fillIn(requestParams, context, events, done) {
    requestParams.form.who = `${requestParams.form.who}, really`;
    requestParams.form.list.push('c&d');
    done();
  },
  remember(requestParams, response, context, events, done) {
    const { items } = JSON.parse(response.body);
    if (items) context.vars.remembered = items[0].name;
    done();
  },
  complain(err, requestParams, context, events, done) { console.log('%s: %s', err.message, requestParams.url.replace(/.*:[0-9]+/, '')); done(); },
  never(err, requestParams, context, events, done) { console.log('never called'); done(); },

  isUser(vars) { return vars.who === 'ada'; },
  isNobody(vars) { return vars.who === undefined; },
  threeTimes(context, done) { passes += 1; done(passes % 3 !== 0); },
  always(context, done) { done(true); },
};
