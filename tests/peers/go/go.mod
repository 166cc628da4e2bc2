module reprise.test/peers

go 1.23
