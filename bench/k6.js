// What bench asks of k6: one GET, or with FLOW=1 what flow.yaml does.
import http from 'k6/http';
import { check } from 'k6';

const { URL, FLOW, LASTS } = __ENV;
const rate = Number(__ENV.RATE);
const users = Number(__ENV.USERS);

export const options = {
  discardResponseBodies: !FLOW,
  summaryTrendStats: ['med', 'p(95)', 'p(99)', 'p(99.9)'],
  scenarios: {
    load: rate > 0
      ? { executor: 'constant-arrival-rate', rate, timeUnit: '1s', duration: LASTS, preAllocatedVUs: Math.min(users, 200), maxVUs: users }
      : { executor: 'constant-vus', vus: users, duration: LASTS },
  },
};

const letters = 'abcdefghijklmnopqrstuvwxyz';
function text(n) {
  let s = '';
  for (let i = 0; i < n; i++) s += letters[Math.floor(Math.random() * letters.length)];
  return s;
}
const number = (most) => Math.floor(Math.random() * most) + 1;

export default function () {
  if (!FLOW) {
    http.get(URL);
    return;
  }
  const body = JSON.stringify({
    firstName: text(8), lastName: text(12), email: `${text(6)}@example.com`, city: text(10), age: number(100), number: number(1000000),
  });
  const response = http.post(`${URL}/record`, body, { headers: { 'Content-Type': 'application/json' } });
  check(response, { created: (r) => r.status === 201 && r.json('id') !== undefined });
}

export function handleSummary(data) {
  return { stdout: JSON.stringify({ state: data.state, metrics: data.metrics }) };
}
