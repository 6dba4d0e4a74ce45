require('no-such-module/deep');
