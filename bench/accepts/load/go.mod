module reprise.test/load

go 1.23
