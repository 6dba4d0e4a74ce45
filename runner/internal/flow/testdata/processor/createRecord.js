'use strict';

// As the demo of the article has it: a counter for the whole run, and generated fields.
module.exports = { createNewRecord };

let counter = 0;

const Faker = require('faker');

function createNewRecord(userContext, events, done) {
  const id = ++counter;
  const firstName = `${Faker.name.firstName()}`;
  const lastName = `${Faker.name.lastName()}`;

  userContext.vars.id = id;
  userContext.vars.firstName = firstName;
  userContext.vars.lastName = lastName;
  userContext.vars.email = firstName + `.` + lastName + `@email.com`;
  userContext.vars.street = `${Faker.address.streetName()}`;
  userContext.vars.postcode = `${Faker.address.zipCode()}`;

  return done();
}
